"""The driver core: devices, buses, drivers, classes, and the uevents that tell of them."""
