"""The integrator's kit: scaffold, check, trace and package plugins, and the parts that their tests are made of."""
