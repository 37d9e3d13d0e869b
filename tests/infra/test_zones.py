import subprocess
import sys
import zoneinfo


def test_zones_are_those_of_the_package_whatever_the_machine_has() -> None:
    script = "import infra, zoneinfo; print(zoneinfo.TZPATH, zoneinfo.ZoneInfo('Europe/Lisbon').key)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "() Europe/Lisbon\n"
    assert zoneinfo.TZPATH == ()  # the tests, too
