package live_test

var serverBreaks = []breakage{}
