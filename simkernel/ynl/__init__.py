"""YNL specifications of netlink families: parser, model, description pages, codecs and policies.

The language is that of the kernel (Documentation/userspace-api/netlink/specs.rst).  The level `genetlink`
is supported, and the part of `genetlink-legacy` that nlctrl needs.  `parse()` makes a `Spec`, from which
the other modules work.
"""

from simkernel.ynl.errors import SpecError as SpecError
from simkernel.ynl.model import Attribute as Attribute
from simkernel.ynl.model import AttributeSet as AttributeSet
from simkernel.ynl.model import Group as Group
from simkernel.ynl.model import Operation as Operation
from simkernel.ynl.model import Spec as Spec
from simkernel.ynl.parse import parse as parse
from simkernel.ynl.shapes import Unsupported as Unsupported
