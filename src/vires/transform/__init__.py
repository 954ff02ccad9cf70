"""The interpreters of derivatives and of mapped axes; they know the Primitive interface only."""
