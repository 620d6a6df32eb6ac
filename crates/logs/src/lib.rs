//! Raw log lines: their fields and times, the keys they name, and the templates they were printed from. Pure: no IO, no
//! clock, no unseeded number.
