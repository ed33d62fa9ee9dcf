//! CSV files in S3 become accounts, employer links and mappings.
