"""The build backend (PEP 517): setuptools', which looks for the list of a source distribution's files here.

It would look for MANIFEST.in at the top level, which is kept short, and has no setting for another place. Changes nothing else.
packaging/build-pypi.sh finds out if this ever stops working: it compares what was packed with what there is.
"""

from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)
from setuptools.command.egg_info import manifest_maker

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

manifest_maker.template = "packaging/pypi/MANIFEST.in"
