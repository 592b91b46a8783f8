"""Silent bugs found before they cost a night: checks of a run that has not begun."""
