"""Builds the five packages from a commit, tries them as a user would, and publishes a release.

`nox -s release` and `nox -s snapshot` call it; RELEASES.md says when.
"""
