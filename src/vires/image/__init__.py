"""Images: resized, scaled and moved."""

from vires.image.resample import ResizeMethod, resize, scale_and_translate

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]
