# bash completion for holdfast(1)
_holdfast() {
	local word=${COMP_WORDS[COMP_CWORD]} noun= verb= i
	local options="--json --state --keyd --certd --timeout --help --version"
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--state | --keyd | --certd | --timeout) ((i++)) ;;
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
		mapfile -t COMPREPLY < <(compgen -W "edge operator auditor certd administrator engineer viewer" -- "$word")
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
		mapfile -t COMPREPLY < <(compgen -W "jsonl csv pem der p7b p7b-pem" -- "$word")
		return
		;;
	-o | --html | --remembered | --proof | --entry | --dossier | --signature)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac
	case "$noun $verb" in
	" ") options="join key cert resource approval edge account user console notice webhook token audit status choices diagnose bench $options" ;;
	"key ") options="generate import list show grant revoke csr stub dossier set suspend resume destroy cancel-destruction" ;;
	"approval ") options="list show approve reject" ;;
	"edge ") options="invite list show group quarantine release resync" ;;
	"cert ") options="upload list show set export replace delete csr requests attach withdraw" ;;
	"resource ") options="create list show set bind unbind delete" ;;
	"account ") options="create list history delete" ;;
	"user ") options="create list set delete" ;;
	"console ") options="link" ;;
	"notice ") options="list retry test rules" ;;
	"webhook ") options="add list remove test" ;;
	"token ") options="create list revoke" ;;
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
	"cert upload")
		case $word in
		-*) options="--account --name --network --scope --shared --acme --passphrase-fd --check" ;;
		*)
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
			;;
		esac
		;;
	"cert list") options="--account --search --order --expires-within --unused --all-kinds --for --page-token" ;;
	"cert set") options="--name --scope" ;;
	"cert export") options="--format -o" ;;
	"cert delete") options="--force" ;;
	"cert csr") options="--account --name --alg --network -o" ;;
	"cert requests") options="--account --page-token" ;;
	"cert attach")
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	"resource create") options="--account --cert --upload --passphrase-fd --network --group --origin --origin-mode --mode --plain-http" ;;
	"resource list") options="--account --search --order --group --cert --page-token" ;;
	"resource set") options="--name --hostnames --group --origin --origin-mode --mode --https --cert" ;;
	"console link") options="--user --account --reset-totp --send --minutes" ;;
	"user create") options="--account --name --role" ;;
	"user set") options="--email --name --role --disable --enable" ;;
	"token create") options="--account --role --scope --days --user" ;;
	"user list" | "token list") options="--account" ;;
	"account create") options="--title" ;;
	"account history") options="--object --page-token" ;;
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
	"diagnose "*) options="--resource --detail" ;;
	"bench sign") options="--keys --in-flight --seconds" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _holdfast holdfast
