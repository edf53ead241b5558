# SPDX-License-Identifier: Apache-2.0
#
# The console's files as one C file: each as it is and as gzip has it, with a
# hash of its content.  index.html names files by a hash of all of them, so that
# they may be kept for ever and two builds are never mixed.  The same files make
# the same octets.
#
#     cmake -DFOLDER=certd/web -DLIST=files.txt -DGZIP=gzip -DOUT=web_built.c -P embed.cmake
#
# LIST: names below FOLDER, sorted, one a line.

file(STRINGS "${LIST}" names)
set(work "${OUT}.tmp")

# "aabb..." of a file, as "0xaa,0xbb,...", 32 a line; a zero when it is empty.
function(octets path ret_text ret_size)
	file(READ "${path}" hex HEX)
	file(SIZE "${path}" size)
	string(REPEAT "." 64 line)
	string(REGEX REPLACE "(${line})" "\\1\n" hex "${hex}")
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
	if(size EQUAL 0)
		set(hex "0")
	endif()
	set(${ret_text} "${hex}" PARENT_SCOPE)
	set(${ret_size} ${size} PARENT_SCOPE)
endfunction()

set(all "")
foreach(name IN LISTS names)
	if(NOT name MATCHES "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")
		message(FATAL_ERROR "${FOLDER}/${name}: write its name in A-Z a-z 0-9 _ . -")
	endif()
	file(SHA256 "${FOLDER}/${name}" hash)
	string(APPEND all "${name} ${hash}\n")
endforeach()
string(SHA256 all "${all}")
string(SUBSTRING "${all}" 0 16 all)

set(text "/* Made by certd/console/embed.cmake. */\n#include \"certd/console/web_built.h\"\n\n")
set(table "")
set(n 0)
foreach(name IN LISTS names)
	set(from "${FOLDER}/${name}")
	if(name STREQUAL "index.html")
		file(READ "${from}" page)
		string(REPLACE "\"/console/assets/" "\"/console/assets/${all}/" page "${page}")
		set(from "${work}")
		file(WRITE "${from}" "${page}")
	endif()
	execute_process(COMMAND "${GZIP}" -9nc INPUT_FILE "${from}" OUTPUT_FILE "${work}.gz"
		COMMAND_ERROR_IS_FATAL ANY)
	file(SHA256 "${from}" hash)
	string(SUBSTRING "${hash}" 0 32 hash)
	octets("${from}" plain plain_size)
	octets("${work}.gz" gzip gzip_size)
	string(APPEND text
		"/* ${name} */\n"
		"static const uint8_t plain_${n}[] = {\n${plain}\n};\n"
		"static const uint8_t gzip_${n}[] = {\n${gzip}\n};\n")
	string(APPEND table "\t{ \"${name}\", \"${hash}\", { plain_${n}, ${plain_size} },"
		" { gzip_${n}, ${gzip_size} } },\n")
	math(EXPR n "${n} + 1")
endforeach()
file(REMOVE "${work}" "${work}.gz")
file(WRITE "${OUT}" "${text}\n"
	"const struct web_built web_built[] = {\n${table}"
	"\t{ NULL, NULL, { NULL, 0 }, { NULL, 0 } },\n};\n"
	"const size_t web_built_n = ${n};\n"
	"const char web_built_hash[] = \"${all}\";\n")
