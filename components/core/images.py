"""The one place that knows which image the components run in, and as which user.

The KFP decorator needs the reference when a wrapper is imported, so ``ciclo compile`` sets the variable before it
imports the graph. The default cannot be pulled: a package with it is refused.
"""

import re

from ciclo.components.core.settings import read_settings

PLACEHOLDER = "ciclo-python:unset"
REFERENCE = re.compile(
    r"[a-z0-9][a-z0-9._/:-]*?(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a name of Kubernetes, such as that of a namespace
USER = 65532  # of both images, without a name
# What Pod Security *restricted* asks of a pod and of a container; the root of both images may be read alone.
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
PIPELINE_IMAGE = read_settings().image or PLACEHOLDER
