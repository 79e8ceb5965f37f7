"""Why bytes are no XML, more exactly than libxml2 says it: two mistakes of real exporters hide behind others.

A control character within CDATA is reported as an unfinished section, and `encoding="utf-16"` over UTF-8 bytes (.NET
writers, GATEWAY §6.1) as a missing blank. Whoever has to mend the export should read the true reason.
"""

import re

from events.xml import XmlError

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OTHER_ENCODING = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]{0,100}?encoding\s*=\s*["'](?!utf-8["'])""", re.IGNORECASE)


def true_reason(error: XmlError, content: bytes) -> XmlError:
    """The error itself, or the one that explains it."""
    if error.code != "XML_MALFORMED":
        return error
    if _OTHER_ENCODING.match(content):
        return XmlError("XML_ENCODING", 1)
    control = _CONTROL.search(content)
    if control:
        return XmlError("XML_CONTROL_CHARACTER", content.count(b"\n", 0, control.start()) + 1)
    return error
