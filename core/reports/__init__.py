"""Reports: named tables of figures over a period, looked at, charted, taken away as files and sent in time."""
