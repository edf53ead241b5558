# Writes the octets of IN as a C array to OUT (proto/descriptors.h).
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," body "${hex}")
file(WRITE ${OUT} "#include \"proto/descriptors.h\"\n
const unsigned char proto_descriptors[] = {${body}};\n
const unsigned long proto_descriptors_len = sizeof(proto_descriptors);\n")
