"""Recording: once, scored, added up."""
from plugins.contributions import service
from plugins.contributions.models import Contribution, MemberProgress
from plugins.contributions.verify import verify

def test_smoke(platform, people, system):
    one, = people()
    with platform.unit_of_work(system) as session:
        c = service.record(session, system, member_id=one, type="git.commit", event_key="k1")
        assert c.points == 5
    with platform.unit_of_work(system) as session:
        p = session.get(MemberProgress, one)
        assert (p.points, p.count, p.streak_current) == (5, 1, 1)
        assert not any(verify(session).values())
