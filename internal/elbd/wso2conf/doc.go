// Package wso2conf reads the two files that configure a WSO2 Elastic Load Balancer: loadbalancer.conf and the clustering part of axis2.xml. It
// knows how they are written, not what they mean: package elbd does.
//
// # loadbalancer.conf
//
// "name {" opens a block, "}" closes it, "key value;" is a property, "#" begins a comment anywhere. The vendor's own reader goes line by line; what it lost or
// stumbled over is read here as it stands:
//
//   - two properties on one line, a whole block on one line, a brace before or after a property, a comment after a brace;
//   - braces in comments, which it counted.
//
// What it forgave is forgiven, with a warning: missing closing braces at the end of the file, closing braces too many, a key given twice (the last one
// counts), words after the last ";" of a line. A line with "${" never opens a block: "${X}" is a variable.
//
// What it could not read is a fault: a property without ";", a block without a name. [Parse] goes on after a fault, so that all of them are told at once.
//
// Both readers are pure functions over bytes that may be anything: bounded in depth and in the number of problems, and without entities or outside references.
package wso2conf
