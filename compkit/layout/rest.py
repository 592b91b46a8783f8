"""What lies in a download besides tables and readable pictures: archives, other formats, rubbish."""

from compkit.layout.findings import Findings
from compkit.layout.pictures import Pictures
from compkit.layout.scan import Listing

SHOWN = 5


def tell_rest(listing: Listing, found: Findings) -> None:
    """Say what is left aside, and what would have to be unpacked."""
    if listing.archives:
        names = ", ".join(listing.archives[:SHOWN]) + (", …" if len(listing.archives) > SHOWN else "")
        found.note(f"{len(listing.archives)} archives are not unpacked: {names}. unpack=true unpacks them")
    for suffix, count in listing.foreign.most_common():
        found.note(f"{count} {suffix} files are left aside: compkit does not read them")
    if listing.rubbish:
        found.note(f"{listing.rubbish} hidden files and leftovers such as __MACOSX are left out")


def refuse_without_pictures(listing: Listing, pictures: Pictures) -> None:
    """Refuse a download that holds nothing to train on.

    Raises:
        ValueError: no picture that compkit reads.
    """
    if pictures.count:
        return
    what = "no picture that compkit reads (png, jpg, tif, webp, bmp, npy)"
    if listing.archives:
        names = ", ".join(listing.archives[:SHOWN])
        raise ValueError(
            f"{listing.root}: {what}, but {len(listing.archives)} archives: {names}. Unpack them, or set unpack=true."
        )
    if listing.foreign:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in listing.foreign.most_common(SHOWN))
        raise ValueError(
            f"{listing.root}: {what}, but {kinds} files. Convert them to PNG or NPY first, one file a picture."
        )
    raise ValueError(f"{listing.root}: {what}. Set path to the folder of the unpacked download.")
