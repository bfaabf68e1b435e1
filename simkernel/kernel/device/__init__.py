"""The driver core: devices, buses, drivers, classes, and the uevents that announce them."""
