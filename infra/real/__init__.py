"""Real input: 39,596 appointments of a city's clinics, booked again over HTTP on a clock that follows them."""
