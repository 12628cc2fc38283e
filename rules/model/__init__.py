"""The values that everything in the policy language is about: fields, changes, decisions."""
