"""Studio: plugins designed in the admin. What it designs is a ``plugin.yaml`` and nothing else.

A design is a draft under HOME (``drafts``), read and changed as text or as a form (``design``, ``merging``). A child
process compiles it (``bench``, ``child``) and tells how its pages would look (``preview``) and what its migration would
do (``plan``); nothing of it enters the process that asked. What is planned is handed out as a folder (``package``), or
written and migrated where the operator allows that (``writing``).
"""
