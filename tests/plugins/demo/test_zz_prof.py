import cProfile, pstats, time
from plugins.demo import load
def test_prof(platform):
    marks=[]; t0=time.monotonic()
    pr=cProfile.Profile(); pr.enable()
    load(platform, lambda w,d,t: marks.append((w,d,round(time.monotonic()-t0,2))))
    pr.disable()
    print([m for m in marks if m[1] in (1,54,60,500,1000,3000,12)])
    print(time.process_time())
    pstats.Stats(pr).sort_stats('cumtime').print_stats(35)
