"""The guard's endpoint, steps and images in Dataverse: what they should be, are, and differ in."""
