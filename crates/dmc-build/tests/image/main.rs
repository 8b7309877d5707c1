//! The whole way from a signed archive to an image, without the command line.

mod damage;
mod edges;
mod golden;
mod layer;
mod refused;
mod same;
mod stage;
mod work;
