"""Netlink families as YNL specifications: read, checked, described, and turned into codecs and policies.

The language is the kernel's (Documentation/userspace-api/netlink/specs.rst): level `genetlink`, of
`genetlink-legacy` what nlctrl needs.  `parse()` makes a `Spec`; the other modules work from that.
"""

from simkernel.ynl.errors import SpecError as SpecError
from simkernel.ynl.model import Attribute as Attribute
from simkernel.ynl.model import AttributeSet as AttributeSet
from simkernel.ynl.model import Group as Group
from simkernel.ynl.model import Operation as Operation
from simkernel.ynl.model import Spec as Spec
from simkernel.ynl.parse import parse as parse
from simkernel.ynl.shapes import Unsupported as Unsupported
