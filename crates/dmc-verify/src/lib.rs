//! What is wrong with a finished tree, found without running anything.
//!
//! Looks at the files of one image, for whichever architecture, as the loader and the kernel of
//! that architecture would, and reports what could not work. Pure: facts in, findings out.
