"""One file for each version of the tables. What has been released is not changed any more."""
