//! Debian's release architectures and what other standards call them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A Debian architecture that binary packages are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
    /// 32-bit Arm with the soft-float calling convention.
    Armel,
    /// 32-bit Arm with hardware floating point.
    Armhf,
    /// 32-bit x86.
    I386,
    /// 64-bit MIPS, little-endian.
    Mips64el,
    /// 64-bit POWER, little-endian.
    Ppc64el,
    /// 64-bit RISC-V.
    Riscv64,
    /// IBM Z, big-endian.
    S390x,
}

/// The `platform` object of an OCI descriptor and the same fields of an image configuration
/// (OCI image specification, "Image Index"; values are Go's `GOARCH` and its variants).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OciPlatform {
    /// `architecture`.
    pub architecture: &'static str,
    /// `os`, always `linux`.
    pub os: &'static str,
    /// `variant`, where the architecture has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<&'static str>,
}

/// Word size of an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ElfClass {
    /// ELFCLASS32.
    Elf32,
    /// ELFCLASS64.
    Elf64,
}

/// Byte order of an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Endian {
    /// ELFDATA2LSB.
    Little,
    /// ELFDATA2MSB.
    Big,
}

/// What an ELF header says of the machine that the file is for. The dynamic loader passes over
/// files whose identity differs from the program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ElfIdent {
    /// Word size.
    pub class: ElfClass,
    /// Byte order.
    pub endian: Endian,
    /// `e_machine`.
    pub machine: u16,
}

impl fmt::Display for ElfIdent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Arch::ALL.into_iter().find(|arch| arch.elf() == *self) {
            Some(arch) => write!(f, "{arch}"),
            None => write!(f, "ELF machine {} ({:?}, {:?})", self.machine, self.class, self.endian),
        }
    }
}

struct Row {
    name: &'static str,
    triplet: &'static str,
    oci: (&'static str, Option<&'static str>),
    elf: (ElfClass, Endian, u16),
    uname: &'static [&'static str],
}

impl Arch {
    /// Every architecture, in the order of its name.
    pub const ALL: [Self; 9] = [
        Self::Amd64,
        Self::Arm64,
        Self::Armel,
        Self::Armhf,
        Self::I386,
        Self::Mips64el,
        Self::Ppc64el,
        Self::Riscv64,
        Self::S390x,
    ];

    #[rustfmt::skip]
    const fn row(self) -> Row {
        use ElfClass::{Elf32, Elf64};
        use Endian::{Big, Little};
        match self {
            Self::Amd64 => Row { name: "amd64", triplet: "x86_64-linux-gnu", oci: ("amd64", None), elf: (Elf64, Little, 62), uname: &["x86_64"] },
            Self::Arm64 => Row { name: "arm64", triplet: "aarch64-linux-gnu", oci: ("arm64", Some("v8")), elf: (Elf64, Little, 183), uname: &["aarch64"] },
            Self::Armel => Row { name: "armel", triplet: "arm-linux-gnueabi", oci: ("arm", Some("v5")), elf: (Elf32, Little, 40), uname: &["armv5tel", "armv6l"] },
            Self::Armhf => Row { name: "armhf", triplet: "arm-linux-gnueabihf", oci: ("arm", Some("v7")), elf: (Elf32, Little, 40), uname: &["armv7l", "armv8l"] },
            Self::I386 => Row { name: "i386", triplet: "i386-linux-gnu", oci: ("386", None), elf: (Elf32, Little, 3), uname: &["i386", "i686"] },
            Self::Mips64el => Row { name: "mips64el", triplet: "mips64el-linux-gnuabi64", oci: ("mips64le", None), elf: (Elf64, Little, 8), uname: &["mips64"] },
            Self::Ppc64el => Row { name: "ppc64el", triplet: "powerpc64le-linux-gnu", oci: ("ppc64le", None), elf: (Elf64, Little, 21), uname: &["ppc64le"] },
            Self::Riscv64 => Row { name: "riscv64", triplet: "riscv64-linux-gnu", oci: ("riscv64", None), elf: (Elf64, Little, 243), uname: &["riscv64"] },
            Self::S390x => Row { name: "s390x", triplet: "s390x-linux-gnu", oci: ("s390x", None), elf: (Elf64, Big, 22), uname: &["s390x"] },
        }
    }

    /// Debian's name, as in `binary-NAME` and in the `Architecture` field.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The multiarch folder name, as in `/usr/lib/TRIPLET`.
    pub const fn triplet(self) -> &'static str {
        self.row().triplet
    }

    /// The platform in OCI's words.
    pub const fn oci(self) -> OciPlatform {
        let (architecture, variant) = self.row().oci;
        OciPlatform { architecture, os: "linux", variant }
    }

    /// What the ELF header of this architecture's files says.
    pub const fn elf(self) -> ElfIdent {
        let (class, endian, machine) = self.row().elf;
        ElfIdent { class, endian, machine }
    }

    /// What ld.so puts for `$LIB` in a search path. Debian's glibc is configured with the
    /// multiarch folder as its library folder, below `lib`.
    pub fn dst_lib(self) -> String {
        format!("lib/{}", self.triplet())
    }

    /// The architecture whose kernel reports `machine` in uname(2).
    pub fn from_uname(machine: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.row().uname.contains(&machine))
    }
}

/// A name that no Debian release architecture has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a Debian architecture that dmc knows")]
pub struct UnknownArch {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(name: &str) -> Result<Self, UnknownArch> {
        Self::ALL
            .into_iter()
            .find(|arch| arch.name() == name)
            .ok_or_else(|| UnknownArch { name: name.to_owned() })
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_reads_back_from_its_name() {
        for arch in Arch::ALL {
            assert_eq!(arch.name().parse::<Arch>().unwrap(), arch);
        }
        for wrong in ["", "x86_64", "AMD64", "all", "amd64 "] {
            assert!(wrong.parse::<Arch>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn oci_names_follow_go() {
        let arm = Arch::Armhf.oci();
        assert_eq!((arm.architecture, arm.variant), ("arm", Some("v7")));
        assert_eq!(Arch::Ppc64el.oci().architecture, "ppc64le");
    }
}
