//! The command line: every command's name, help and examples. What a command does is in [`crate::commands`].
