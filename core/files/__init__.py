"""Files that members upload: checked by content, kept private, served by signed links alone."""
