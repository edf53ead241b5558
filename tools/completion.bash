# bash completion for holdfast(1)
_holdfast() {
	local word=${COMP_WORDS[COMP_CWORD]} noun= verb= i
	local options="--json --state --keyd --timeout --help --version"
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--state | --keyd | --timeout) ((i++)) ;;
		-*) ;;
		*)
			if [ -z "$noun" ]; then
				noun=${COMP_WORDS[i]}
			elif [ -z "$verb" ]; then
				verb=${COMP_WORDS[i]}
			fi
			;;
		esac
	done
	case "${COMP_WORDS[COMP_CWORD - 1]}" in
	--alg)
		mapfile -t COMPREPLY < <(compgen -W "ec-p256 ec-p384 rsa-2048 rsa-3072 rsa-4096 ed25519" -- "$word")
		return
		;;
	--role)
		mapfile -t COMPREPLY < <(compgen -W "edge operator auditor certd" -- "$word")
		return
		;;
	--state)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	-o)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	case "$noun $verb" in
	" ") options="join key edge status bench $options" ;;
	"key ") options="generate list show grant revoke csr stub" ;;
	"edge ") options="invite list" ;;
	"bench ") options="sign" ;;
	"join ")
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	"key generate") options="--alg --pool" ;;
	"key csr" | "key stub") options="-o" ;;
	"key grant" | "key revoke") options="tls tls13_server tls12_server_ecdhe csr raw" ;;
	"edge invite") options="-o --role --ttl" ;;
	"edge list") options="--role" ;;
	"bench sign") options="--in-flight --seconds" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _holdfast holdfast
