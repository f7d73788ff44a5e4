"""What people do on the site themselves: sign up, leave, pause, change, move, see."""
