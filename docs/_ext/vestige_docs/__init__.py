"""What the documentation site needs beside Sphinx: each module is one small extension."""
