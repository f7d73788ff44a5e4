"""The desk: where organisers come in, see, stop, check, approve and send. One file a noun; `routes` says who
may have what."""
