"""Forms as browsers send them."""


def form(*parts: tuple[str, str | None, bytes], boundary: bytes = b"line") -> bytes:
    """A multipart form of (name, file name, value); without a file name it is a plain field."""
    out = b""
    for name, filename, value in parts:
        out += b"--" + boundary + b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"'
        if filename is not None:
            out += b'; filename="' + filename.encode() + b'"'
        out += b"\r\n\r\n" + value + b"\r\n"
    return out + b"--" + boundary + b"--\r\n"
