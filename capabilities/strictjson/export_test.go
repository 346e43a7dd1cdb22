package strictjson

// Judge is the walk that knows what is wrong. What is refused without it would be refused for nothing.
var Judge = judge
