package live_test

var siteBreaks = []breakage{}
