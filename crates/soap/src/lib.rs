//! SOAP without services: envelope, fault, access classes, operations table, router, authentication.
