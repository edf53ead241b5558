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
	--kind)
		mapfile -t COMPREPLY < <(compgen -W "sign custody" -- "$word")
		return
		;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "jsonl csv" -- "$word")
		return
		;;
	-o | --html | --remembered | --proof | --entry | --dossier | --signature)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	case "$noun $verb" in
	" ") options="join key approval edge audit status bench $options" ;;
	"key ") options="generate import list show grant revoke csr stub dossier set suspend resume destroy cancel-destruction" ;;
	"approval ") options="list show approve reject" ;;
	"edge ") options="invite list group quarantine release" ;;
	"audit ") options="show tail report export verify key prove cosign rotate-key" ;;
	"bench ") options="sign" ;;
	"join ")
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	"key generate") options="--alg --pool --group --owner --notes --count" ;;
	"key import")
		case $word in
		-*) options="--pool --group --owner --notes --passphrase-fd --wrapping-key" ;;
		*)
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
			;;
		esac
		;;
	"key csr" | "key stub" | "key dossier") options="-o" ;;
	"key grant" | "key revoke") options="tls tls13_server tls12_server_ecdhe tls13_client csr acme_jws raw --group --rate --burst --beyond-group --comment" ;;
	"key set") options="--group --owner --notes" ;;
	"key suspend") options="--reason" ;;
	"key destroy") options="--delay --comment --yes" ;;
	"approval list") options="--all" ;;
	"approval approve" | "approval reject") options="--comment" ;;
	"edge invite") options="-o --role --group --ttl" ;;
	"edge quarantine") options="--reason" ;;
	"edge list") options="--role" ;;
	"audit show" | "audit tail" | "audit report" | "audit export")
		options="--edge --identity --key --since --until --refused --allowed --kind --last"
		[ "$verb" = tail ] || options+=" --limit"
		[ "$verb" != report ] || options+=" --html"
		[ "$verb" != export ] || options+=" --format -o"
		;;
	"audit verify")
		case $word in
		-*) options="--key --remembered --witness --witnesses-needed --no-remember --proof --entry --dossier --signature" ;;
		*)
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			return
			;;
		esac
		;;
	"audit key") options="--no-remember" ;;
	"audit prove") options="-o" ;;
	"audit cosign")
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	"bench sign") options="--keys --in-flight --seconds" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _holdfast holdfast
