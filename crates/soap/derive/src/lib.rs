//! Derives XmlRead and XmlWrite.
