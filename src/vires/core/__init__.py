"""The language: types, pytrees, jaxprs, interpreters, primitives, errors, options."""
