"""The one place that knows which image the components run in, and as which user.

The KFP decorator needs the reference when a wrapper is imported, so ``ciclo compile`` sets the variable before it
imports the graph. The default cannot be pulled: a package with it is refused.
"""

from ciclo.components.core.settings import read_settings

PLACEHOLDER = "ciclo-python:unset"
USER = 65532  # of both images, without a name
PIPELINE_IMAGE = read_settings().image or PLACEHOLDER
