# Writes the octets of IN as the C array NAME to OUT (proto/descriptors.h).
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," body "${hex}")
file(WRITE ${OUT} "#include \"proto/descriptors.h\"\n
const unsigned char ${NAME}[] = {${body}};\n
const unsigned long ${NAME}_len = sizeof(${NAME});\n")
