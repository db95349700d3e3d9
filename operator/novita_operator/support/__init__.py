"""What people look with when something is wrong: `check`, and the bundle that they send to somebody who helps."""
