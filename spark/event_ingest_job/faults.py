"""What can go wrong, by what helps."""


class ContentFault(Exception):
    """A file is at fault: no retry mends it, and it harms only itself."""


class Changed(Exception):
    """An object is no longer the version that was looked at."""


class Refused(Exception):
    """This attempt can never succeed. No retry helps, a person has to."""


class Unavailable(Exception):
    """A store, the catalog or the publisher did not do its part. Another attempt may succeed."""
