//! A person links their own LabArchives account, once.
