"""Channels, depth and a training size, from sampled pictures."""

from compkit.layout.findings import Findings
from compkit.layout.images import Choice
from compkit.layout.looks import suggested_size


def decide_pixels(images: Choice, found: Findings) -> None:
    """Write channels and max_value as the sampled pictures say."""
    looks = images.looks
    if looks is None:
        found.note("no sampled picture could be read: see scripts/inspect_data.py")
        return
    found.image_size = suggested_size(looks)
    size = f"{looks.width} x {looks.height} pixels in {looks.files} sampled pictures"
    if images.channel_files:
        found.set("channels", len(images.channel_files), "one for each channel file")
    elif looks.channels == 1:
        found.set("channels", 1, f"grey; {size}")
    elif looks.is_stack:
        found.set("channels", looks.channels, f"as many in each file; {size}")
    else:
        found.set("channels", 3, f"colour; {size}")
        if looks.is_grey:
            found.note("the sampled pictures are stored in colour, but grey: channels=1 saves a little time")
        if looks.channels == 4:
            found.note(
                "the sampled pictures have a fourth channel (transparency), which is dropped; channels=4 keeps it"
            )
    if looks.bits == 16 and looks.largest < 2**15:
        bound = 2 ** max(8, int(looks.largest).bit_length()) - 1
        choices: list[tuple[object, str]] = [
            (None, "65535, the largest of 16 bits"),
            (bound, f"the largest pixel of {looks.files} sampled pictures is {looks.largest:.0f}"),
        ]
        found.ask("max_value", "Pixels have 16 bits but use few of them.", choices, None)
