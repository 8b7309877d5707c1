//! dmc-elf
