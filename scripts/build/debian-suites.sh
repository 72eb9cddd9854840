# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packages of Debian's other suites, without touching the machine's own apt: the
# mirrors, proxies and keys are the machine's, all else is under build/suites.

SUITES=$BUILD/suites
SUITES_ARCH=amd64
SUITES_NAMES='bookworm bookworm-backports trixie trixie-backports forky sid experimental'
SUITES_SECURITY='bookworm-security trixie-security'

# suites_of ARCH SUITE: packages of another architecture from that suite alone
suites_of() {
	SUITES=$BUILD/suites-$1
	SUITES_ARCH=$1
	SUITES_NAMES=$2
	SUITES_SECURITY=$2-security
}

# What the machine's apt uses for Debian: "LABEL URI" lines, label Debian or
# Debian-Security
mirrors() {
	# shellcheck disable=SC2016 # the format is apt's
	apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian \(Debian\(-Security\)\{0,1\}\) /\1 /p' | sort -u
}

# A suite that is not there (any more) is no error: what is missing is told later
write_sources() {
	local label uri suites suite

	while read -r label uri; do
		case $label in
		Debian)		suites=$SUITES_NAMES ;;
		Debian-Security) suites=$SUITES_SECURITY ;;
		esac
		for suite in $suites; do
			printf 'deb %s %s main\ndeb-src %s %s main\n' "$uri" "$suite" "$uri" "$suite"
		done
	done < <(mirrors) | put "$SUITES/sources.list"
	[[ -s $SUITES/sources.list ]] ||
		die "apt knows no mirror of Debian" "run: apt-get update"
}

write_config() {
	put "$SUITES/apt.conf" <<-END
		Dir::State "$SUITES/state";
		Dir::State::status "$SUITES/status";
		Dir::Cache "$SUITES/cache";
		Dir::Etc::sourcelist "$SUITES/sources.list";
		Dir::Etc::sourceparts "$SUITES/none";
		Dir::Etc::preferences "$SUITES/none/preferences";
		Dir::Etc::preferencesparts "$SUITES/none";
		APT::Default-Release "";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear APT::Update::Pre-Invoke;
		APT::Architecture "$SUITES_ARCH";
		APT::Architectures { "$SUITES_ARCH"; };
		APT::Get::AllowUnauthenticated "false";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::PDiffs "false";
		Acquire::Retries "2";
		Debug::NoLocking "true";
	END
}

apt_update() {
	APT_CONFIG=$SUITES/apt.conf apt-get -q update
}

# suites_update: once a day is enough
suites_update() {
	need apt-get dpkg-deb
	mkdir -p "$SUITES"/{state/lists/partial,cache/archives/partial,none}
	: >>"$SUITES/status"
	write_sources
	write_config
	if [[ -n $(find "$SUITES/updated" -mmin -1440 2>/dev/null) &&
	      $SUITES/updated -nt $SUITES/sources.list.used ]] &&
	   cmp -s "$SUITES/sources.list" "$SUITES/sources.list.used"; then
		return
	fi
	cp "$SUITES/sources.list" "$SUITES/sources.list.used"
	if ! step "reading the lists of other suites" "$LOGS/suites-update" apt_update; then
		warn "note: some lists could not be read; what is in them is missing below"
		return 0
	fi
	# apt-get succeeds where it found no mirror at all, and says so in words
	grep -q '^\(Err\|W: Failed\)' "$LOGS/suites-update" || touch "$SUITES/updated"
}

suites_apt() {
	local tool=$1

	shift
	APT_CONFIG=$SUITES/apt.conf "apt-$tool" -q "$@"
}

# suites_packages REGEX: names of packages that match, the newest version last
suites_packages() {
	suites_apt cache pkgnames | grep -E -e "^($1)\$" | sort -V
}

# suites_versions source|binary NAME: the newest last
suites_versions() {
	local kind=Packages

	[[ $1 == binary ]] || kind=Sources
	suites_apt cache madison "$2" |
		awk -F ' *[|] *' -v kind="$kind" '$3 ~ kind "$" { print $2 }' | sort -Vu
}

# suites_deb NAME[=VERSION] DIR: what the package holds goes into DIR
suites_deb() {
	local work=$SUITES/deb.tmp.$$ rc=0

	rm -rf "$work"
	mkdir -p "$work" "$2"
	(cd "$work" && suites_apt get download "$1") >>"$LOGS/suites-fetch" 2>&1 &&
		dpkg-deb -x "$work"/*.deb "$2" || rc=1
	rm -rf "$work"
	return $rc
}

# suites_source NAME=VERSION DIR: the upstream tarball of a source package
suites_source() {
	mkdir -p "$2"
	(cd "$2" && suites_apt get source --download-only --tar-only "$1") >>"$LOGS/suites-fetch" 2>&1
}
