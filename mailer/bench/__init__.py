"""What `mailer bench` measures with: an invented audience, servers on loopback that take mail, and what sends to them.

Nothing here is used by anything that sends real mail, and nothing here speaks to another address than 127.0.0.1.
"""
